import http.server, json, os, runpy, socket, sys, threading
claim = json.loads(sys.stdin.readline())
null = os.open("/dev/null", os.O_RDONLY)
os.dup2(null, 0)
os.close(null)
sys.stdin = open(0)
os.environ.clear()
os.environ.update(claim["environment"])
module = claim["arguments"][0] == "-m"
sys.argv = claim["arguments"][module:]
sys.path[0] = os.getcwd() if module else os.path.dirname(os.path.abspath(sys.argv[0]))
sys.path[1:1] = [part for part in os.environ.get("PYTHONPATH", "").split(":") if part and part not in sys.path]
del null, claim
if module:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
