"""``python -m genolstm``: the program where its script is not on the PATH, as under torchrun."""

from genolstm.cli.app import main

if __name__ == "__main__":
    main()
