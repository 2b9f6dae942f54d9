"""Pictures of result files, one module a kind; every command's --figure and the report draw with the same functions."""
