import redis
from flask import Flask

app = Flask(__name__)
cache = redis.Redis(host="redis")


@app.get("/health")
def health():
    return "ok"


@app.get("/")
def index():
    return f"seen {cache.incr('hits')} times\n"
