import sys

print("saying", sys.argv[1])
