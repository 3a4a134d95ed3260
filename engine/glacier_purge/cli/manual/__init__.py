"""The manual: a page for man, and the reference as pages of Markdown."""
