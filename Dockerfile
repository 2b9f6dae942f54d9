# genolstm on a CPU: docker build -t genolstm . && docker run --rm -v "$PWD:/data" -w /data genolstm --help
FROM python:3.12-slim
# without this index pip takes a torch with several GB of CUDA libraries
RUN python -m pip install --no-cache-dir 'torch>=2.6,<2.14' --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE /src/
COPY genolstm /src/genolstm
COPY example_data /src/example_data
COPY docs/pages/commands /src/docs/pages/commands
RUN python -m pip install --no-cache-dir '/src[studies]' && rm -rf /src && genolstm doctor
ENTRYPOINT ["genolstm"]
