"""Recall as a reader would write it: Python numbers, lists and dictionaries. The kernels must give the same bits."""

import math

from genolstm.recall import mixing

FULL = 2**64 - 1


def entry(key, shift):
    return ((key * 0x9E3779B97F4A7C15) & FULL) >> int(shift)


def check(key):
    return ((key * 0xBF58476D1CE4E5B9) & FULL) >> 48


def number(symbols):
    value = 0
    for symbol in symbols:
        value = 4 * value + symbol
    return value


def paired(symbols):
    return [3 - symbol for symbol in reversed(symbols)]


class SlowCopy:
    """One copy expert: a window length, and +1 along the text or -1 against it."""

    def __init__(self, length, step):
        self.length, self.step = length, step
        self.place, self.matched, self.missed = None, 0, []
        self.rates = {}

    def bucket(self):
        if not any(self.missed[-32:]):
            return ("clean", sum(self.matched >= bound for bound in mixing.MATCHED.tolist()))
        age = self.missed[::-1].index(True)
        return ("missed", sum(self.missed[-16:]), age.bit_length())

    def advantage(self):
        hits, trials = self.rates.get(self.bucket(), (mixing.FIRST_HITS, mixing.FIRST_TRIALS))
        rate = min(max(hits / trials, mixing.LEAST_RATE), mixing.LARGEST_RATE)
        return math.log(3 * rate / (1 - rate))

    def learn(self, hit):
        hits, trials = self.rates.get(self.bucket(), (mixing.FIRST_HITS, mixing.FIRST_TRIALS))
        if trials >= mixing.MOST_TRIALS:
            hits, trials = hits / 2, trials / 2
        self.rates[self.bucket()] = (hits + hit, trials + 1)


class SlowRecall:
    """Everything that was read, the experts, and the weights of the three mixers."""

    def __init__(self, memory):
        self.lengths, self.orders = memory.lengths.tolist(), memory.orders.tolist()
        self.ends_shift, self.slots_shift = memory.ends_shift, memory.slots_shift
        self.text, self.recent = [], []
        self.ends = [{} for _ in self.lengths]
        self.counts = [{} for _ in self.orders]
        self.copies = [SlowCopy(length, step) for length in self.lengths for step in (1, -1)]
        self.weights, self.squares = {}, {}

    # the text

    def read_text(self, codes):
        for symbol in codes:
            self._index()
            self._append(symbol)
            self._advance(symbol)

    def _advance(self, symbol):
        self.recent = [] if symbol > 3 else [*self.recent[-40:], symbol]

    def _index(self):
        for ends, length in zip(self.ends, self.lengths, strict=True):
            if len(self.recent) >= length:
                ends[entry(number(self.recent[-length:]), self.ends_shift)] = len(self.text)

    def _append(self, symbol):
        self.text.append(symbol)
        if symbol > 3:
            return
        for order, counts in zip(self.orders, self.counts, strict=True):
            if len(self.recent) < order:
                continue
            newest = [*self.recent, symbol][-order:]
            self._count(order, counts, self.recent[-order:], symbol)
            self._count(order, counts, paired(newest), 3 - self.recent[-order])

    def _count(self, order, counts, context, symbol):
        key = number(context)
        if order <= 12:
            found = counts.setdefault(key, [0, 0, 0, 0])
            if found[symbol] == 65_535:
                found[:] = [each // 2 for each in found]
            found[symbol] += 1
            return
        at = entry(key, self.slots_shift)
        owner, found = counts.get(at, (0, [0, 0, 0, 0]))
        if owner != check(key):
            if sum(found) > 1:
                counts[at] = (owner, [each // 2 for each in found])
                return
            found = [0, 0, 0, 0]
        if found[symbol] == 15:
            found = [each // 2 for each in found]
        found[symbol] += 1
        counts[at] = (check(key), found)

    # the experts

    def _find(self):
        for place, copy in enumerate(self.copies):
            length = copy.length
            if len(self.recent) < length or (copy.place is not None and copy.matched >= 32):
                continue
            window = self.recent[-length:] if copy.step > 0 else paired(self.recent[-length:])
            end = self.ends[place // 2].get(entry(number(window), self.ends_shift), 0)
            start = end if copy.step > 0 else end - length - 1
            if end == 0 or start < 0 or start == copy.place:
                continue
            agreed = 0
            for back, symbol in enumerate(self.recent[::-1][:32]):
                at = start - copy.step * (back + 1)
                if not 0 <= at < len(self.text) or self.text[at] != (symbol if copy.step > 0 else 3 - symbol):
                    break
                agreed += 1
            if agreed >= length and (copy.place is None or agreed > copy.matched):
                copy.place, copy.matched, copy.missed = start, agreed, []

    def _expected(self, copy, break_after):
        if copy.place is None or copy.place < 0:
            return None
        symbol = self.text[copy.place] if copy.place < len(self.text) else break_after
        if symbol > 3:
            return None
        return symbol if copy.step > 0 else 3 - symbol

    def _opinions(self, log_p):
        """(expert, bucket, centred log probabilities) of those that say anything, and the class of the gates."""
        said, surest, met = [], 0.0, False
        if log_p is not None:
            mean = sum(log_p) / 4
            sure = sum(math.exp(max(log_p)) >= bound for bound in mixing.SURE.tolist())
            said.append((0, sure, [each - mean for each in log_p]))
        for place, copy in enumerate(self.copies):
            expected = self._expected(copy, 0)
            if expected is None:
                continue
            advantage = copy.advantage()
            centred = [-advantage / 4 + advantage * (a == expected) for a in range(4)]
            said.append((1 + place, copy.bucket(), centred))
            surest, met = max(surest, advantage), True
        for place, order in enumerate(self.orders):
            found = self._counts_after(place, order)
            if sum(found) == 0:
                continue
            added = mixing.ADDED_SHORT if order <= 12 else mixing.ADDED_LONG
            logs = [math.log(each + added) for each in found]
            bucket = (min(9, sum(found).bit_length() - 1), max(found) == sum(found))
            said.append((1 + len(self.copies) + place, bucket, [each - sum(logs) / 4 for each in logs]))
        rate = 1 - 3 / (3 + math.exp(surest))
        return said, 1 + sum(rate >= bound for bound in mixing.RATE_CLASSES.tolist()) if met else 0

    def _counts_after(self, place, order):
        if len(self.recent) < order:
            return [0, 0, 0, 0]
        key = number(self.recent[-order:])
        if order <= 12:
            return self.counts[place].get(key, [0, 0, 0, 0])
        owner, found = self.counts[place].get(entry(key, self.slots_shift), (0, [0, 0, 0, 0]))
        return found if owner == check(key) else [0, 0, 0, 0]

    # mixing

    def _weight(self, mixer, expert, kind):
        start = (1.0 if expert == 0 else 0.05) if kind[0] == "weight" else 0.0
        return self.weights.get((mixer, expert, kind), start)

    def _learn(self, mixer, expert, kind, step, slope):
        key = (mixer, expert, kind)
        self.squares[key] = self.squares.get(key, mixing.SMALL) + slope * slope
        self.weights[key] = self._weight(mixer, expert, kind) - step * slope / math.sqrt(self.squares[key])

    def probabilities(self, log_p, mixer):
        """Of the four symbols, by one mixer."""
        said, gate = self._opinions(log_p)
        first = (0, 1, 1 + len(self.copies))[mixer]
        z = [0.0] * 4
        for expert, bucket, centred in said:
            if expert >= first:
                weight = self._weight(mixer, expert, ("weight", bucket)) + self._weight(mixer, expert, ("gate", gate))
                z = [each + weight * add for each, add in zip(z, centred, strict=True)]
        raw = [math.exp(each - max(z)) for each in z]
        return [(1 - 4 * mixing.FLOOR) * each / sum(raw) + mixing.FLOOR for each in raw], said, gate, first

    def read(self, codes, log_p, *, growing, learning):
        """Bits of each symbol by the three mixers, [n][3]; NaN where it is unknown."""
        rows = []
        for t, symbol in enumerate(codes):
            self._find()
            opinion = None if log_p is None else [float(each) for each in log_p[t]]
            row = []
            mixed = [self.probabilities(opinion, mixer) for mixer in range(3)]
            for mixer, (p, said, gate, first) in enumerate(mixed):
                if symbol > 3:
                    row.append(math.nan)
                    continue
                assert abs(sum(p) - 1) < 1e-12
                row.append(-math.log2(p[symbol]))
                if not learning:
                    continue
                for expert, bucket, centred in said:
                    if expert >= first:
                        slope = sum((p[a] - (a == symbol)) * centred[a] for a in range(4))
                        self._learn(mixer, expert, ("weight", bucket), mixing.STEP, slope)
                        self._learn(mixer, expert, ("gate", gate), mixing.GATE_STEP, slope)
            if learning and symbol <= 3:
                for copy in self.copies:
                    expected = self._expected(copy, 0)
                    if expected is not None:
                        copy.learn(expected == symbol)
            if growing:
                self._index()
                self._append(symbol)
            self._follow(symbol)
            self._advance(symbol)
            rows.append(row)
        return rows

    def _follow(self, symbol):
        for copy in self.copies:
            if copy.place is None:
                continue
            expected = self._expected(copy, 0)
            if symbol > 3 or expected is None:
                copy.place = None
                continue
            copy.missed.append(expected != symbol)
            copy.matched = 0 if copy.missed[-1] else copy.matched + 1
            copy.place += copy.step
            if sum(copy.missed[-16:]) > 8 or copy.place < 0:
                copy.place = None
