"""The command ``astro-paperclip``: one module a verb, each calling one public function."""
