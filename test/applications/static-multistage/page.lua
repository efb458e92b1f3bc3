print(string.format("<h1>%s</h1>", "made by lua"))
