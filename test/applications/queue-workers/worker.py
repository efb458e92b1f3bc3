import redis

queue = redis.Redis(host="queue")
while True:
    queue.blpop("jobs")
    queue.incr("done")
