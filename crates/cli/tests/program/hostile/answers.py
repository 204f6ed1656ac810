# Answers with bytes, each path in its own wrong way.
import os, socket, threading, time

GOOD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
ANSWERS = {
    "good": GOOD + b"content-length: 4\r\n\r\ngood",
    "garbage": b"\x00\x01MARK what is this\r\n\r\n",
    "nothing": b"",
    "old": b"<h1>MARK</h1>",
    "bad-status": b"HTTP/1.1 9999 MARK\r\ncontent-length: 0\r\n\r\n",
    "split-header": GOOD + b"x-mark: MARK\rset-cookie: a=b\r\ncontent-length: 0\r\n\r\n",
    "bare-header": GOOD + b"MARK without a colon\r\ncontent-length: 0\r\n\r\n",
    "two-lengths": GOOD + b"content-length: 4\r\ncontent-length: 40\r\n\r\nMARK",
    "negative-length": GOOD + b"content-length: -4\r\n\r\nMARK",
    "many-headers": GOOD + b"".join(b"x-%d: MARK\r\n" % number for number in range(1000)) + b"\r\n",
    "short": GOOD + b"content-length: 4000\r\n\r\nMARK",
    "bad-chunk": GOOD + b"transfer-encoding: chunked\r\n\r\n4\r\nMARK\r\nzz\r\nMARK\r\n",
    "both-lengths": GOOD + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n4\r\nMARK\r\n",
}


def answer(connection):
    with connection:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(65536)
            if not piece:
                return
            head += piece
        way = head.split(b" ")[1].decode().strip("/")
        if way == "silent":
            time.sleep(30)
        elif way == "stalls":
            connection.sendall(GOOD + b"transfer-encoding: chunked\r\n\r\n4\r\nMARK\r\n")
            time.sleep(30)
        elif way == "endless-head":
            connection.sendall(GOOD)
            while True:
                connection.sendall(b"x-mark: " + b"M" * 4096 + b"\r\n")
        elif way == "endless":
            connection.sendall(GOOD + b"transfer-encoding: chunked\r\n\r\n")
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        else:
            connection.sendall(ANSWERS.get(way, ANSWERS["good"]))


def serve(connection):
    try:
        answer(connection)
    except OSError:
        pass


listener = socket.create_server(("0.0.0.0", int(os.environ["PORT"])), backlog=128)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
