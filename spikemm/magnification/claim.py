"""What a method promises, in numbers that a test holds it to."""

from dataclasses import dataclass

__all__ = ["Claim"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Where a method's gain is right, and how nearly.

    Attributes
    ----------
    gain : float
        Largest relative error of the gain (displacement shown over `alpha` times the true one); 0.25 at most.
    input_px : tuple of float
        Smallest and largest amplitude of the scene's motion, px.
    output_px : float
        Largest amplitude of the magnified motion, px.
    wavelength_px : float
        Finest structure of the picture for which it holds, px a period.
    added_px : float
        Smallest amplitude that magnification adds, (alpha − 1) times the scene's, px: less is taken for noise.
    """

    gain: float
    input_px: tuple[float, float]
    output_px: float
    wavelength_px: float
    added_px: float = 0.0
