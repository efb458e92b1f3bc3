def main():
    print("served by", __name__)
