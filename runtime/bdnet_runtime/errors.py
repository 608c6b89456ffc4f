"""The one exception that means: the caller can put this right."""


class InputError(ValueError):
    """Bad input, told in one sentence: what came, what was expected, what to do."""
