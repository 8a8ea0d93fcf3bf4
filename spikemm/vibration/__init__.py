"""How far and how fast things vibrate: displacement, spectrum, and the noise floor beside every figure.

Nothing is loaded here: scale and severity do without torch, which the rest needs.
"""
