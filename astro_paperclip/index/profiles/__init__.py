"""Settings of indexes, by the scale that they are for."""

from astro_paperclip.index.profiles.profile import PROFILES, Profile

__all__ = ["PROFILES", "Profile"]
