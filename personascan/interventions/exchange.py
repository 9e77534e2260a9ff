def read_direction(path, config, at=""):
    raise NotImplementedError
