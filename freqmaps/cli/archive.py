DECIDES_NUMBERS = False
def add_commands(c): pass
