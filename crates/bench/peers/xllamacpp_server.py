"""llama.cpp's own HTTP server, from the package xllamacpp: `xllamacpp_server.py MODEL THREADS SLOTS TOKENS`.

Prints the address, and ends with its standard input.
"""

import sys

import xllamacpp

model, threads, slots, tokens = sys.argv[1], *map(int, sys.argv[2:5])
parameters = xllamacpp.CommonParams()
parameters.model.path = model
parameters.n_parallel = slots
parameters.n_ctx = slots * tokens
parameters.cpuparams.n_threads = threads
parameters.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
