"""Holds a value in memory that is in no file, environment or command line."""

import codecs
import sys
import time

value = codecs.decode(sys.argv[1], "rot13")
print("held", flush=True)
time.sleep(300)
print(value)
