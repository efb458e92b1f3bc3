io.write("Content-Type: text/plain\r\n\r\n")
print("seven is " .. (os.getenv("QUERY_STRING") or ""))
