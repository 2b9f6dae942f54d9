"""What ``import genolstm as gl`` offers; `genolstm/__init__.py` names each thing and where it is."""
