"""How an answer looks: as text, as HTML with a picture, as an Altair chart."""
