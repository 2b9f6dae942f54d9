"""Price tables: what is read, and what is refused with its row."""

import numpy as np
import pytest

from genolstm.errors import InputError
from genolstm.readers.price_table import read_exogenous, read_prices


def table(tmp_path, text):
    path = tmp_path / "prices.csv"
    path.write_bytes(text.encode())
    return path


def test_dates_and_closes_are_read_in_any_column_order(tmp_path):
    prices = read_prices(table(tmp_path, "\ufeffOpen,CLOSE,Date\r\n1,2.5,2020-01-02\r\n1,2.75,2020-01-03\r\n\r\n"))
    assert prices.close.tolist() == [2.5, 2.75]
    assert prices.dates.tolist() == np.array(["2020-01-02", "2020-01-03"], "datetime64[D]").tolist()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("2020-01-02,1\n2020-01-03,0\n", "row 3: the close of 2020-01-03 is 0, and returns need prices above 0"),
        ("2020-01-02,1\n2020-01-03,-4\n", "row 3: the close of 2020-01-03 is -4"),
        ("2020-01-02,1\n2020-01-03,nan\n", "row 3: the close of 2020-01-03 is nan; leave the row out or fill it in"),
        ("2020-01-02,1\n2020-01-03,inf\n", "row 3: the close of 2020-01-03 is inf"),
        ("2020-01-02,1\n2020-01-03,\n", "row 3: the close of 2020-01-03 is missing"),
        ("2020-01-02,1\n2020-01-03\n", "row 3: the close of 2020-01-03 is missing"),
        ("2020-01-02,1\n2020-01-03,x\n", "row 3: close 'x' is no number"),
        ("2020-01-02,1\n03.01.2020,2\n", "row 3: '03.01.2020' is no date; write it as 2018-12-31"),
        ("2020-01-02,1\n2020-01-02,2\n", "row 3: 2020-01-02 does not come after 2020-01-02; sort by date"),
        ("2020-01-03,1\n2020-01-02,2\n", "row 3: 2020-01-02 does not come after 2020-01-03"),
        ("2020-01-02,1\n2020-02-03,2\n", "row 3: nothing between 2020-01-02 and 2020-02-03; fill in the missing days"),
        ("", "holds no prices; give one row for each day"),
    ],
)
def test_what_cannot_be_a_price_is_refused_with_its_row(tmp_path, rows, message):
    path = table(tmp_path, "date,close\n" + rows)
    with pytest.raises(InputError) as refused:
        read_prices(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_table_without_the_columns_is_refused(tmp_path):
    with pytest.raises(InputError, match="has the columns 'day;price' in row 1; name one of them 'date'"):
        read_prices(table(tmp_path, "day;price\n2020-01-02;1\n"))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv"):
        read_prices(tmp_path / "none.csv")


def test_signed_columns_are_read_and_rows_with_an_empty_cell_are_counted(tmp_path):
    found = read_exogenous(table(tmp_path, "mood,Date,posts\n-1.5,2020-01-02,3\n,2020-01-03,4\n0.25,2020-06-04,-5\n"))
    assert found.names == ("mood", "posts")
    assert found.values.tolist() == [[-1.5, 3], [0.25, -5]]
    assert found.dates.tolist() == np.array(["2020-01-02", "2020-06-04"], "datetime64[D]").tolist()
    assert found.incomplete == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date\n2020-01-02\n", "has the columns 'date' in row 1; name one of them 'date'"),
        ("date,a,a\n2020-01-02,1,2\n", "each of another name"),
        ("date,a\n2020-01-02,x\n", "row 2: a 'x' is no number; write it as -0.25, or leave the cell empty"),
        ("date,a\n2020-01-02,inf\n", "row 2: a is inf; leave the cell empty or fill it in"),
        ("date,a\n2020-01-03,1\n2020-01-02,1\n", "row 3: 2020-01-02 does not come after 2020-01-03; sort by date"),
        ("date,a\n2020-01-03,\n", "holds no complete row"),
    ],
)
def test_what_is_no_exogenous_series_is_refused_with_its_row(tmp_path, text, message):
    path = table(tmp_path, text)
    with pytest.raises(InputError) as refused:
        read_exogenous(path)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)
