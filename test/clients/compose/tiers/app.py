import http.server

import psycopg2
import redis


class Visits(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with psycopg2.connect(host="store", user="postgres", connect_timeout=3) as store:
                with store.cursor() as cursor:
                    cursor.execute("INSERT INTO visits DEFAULT VALUES")
                    cursor.execute("SELECT count(*) FROM visits")
                    (row,) = cursor.fetchone()
            visit = redis.Redis(host="cache", socket_timeout=3).incr("visits")
            status, text = 200, f"row {row}, visit {visit}\n"
        except Exception as error:
            status, text = 503, f"{type(error).__name__}: {error}\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


http.server.ThreadingHTTPServer(("", 8000), Visits).serve_forever()
