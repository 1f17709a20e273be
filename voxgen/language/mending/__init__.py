"""A document as a model may have meant it → the language's own forms."""
