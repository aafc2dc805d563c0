import sys
print("the result is", open(sys.argv[1]).read())
