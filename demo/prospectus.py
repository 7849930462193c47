"""A page of PDF, so that a demo's documents can be opened."""

import textwrap


def pdf(title: str, text: str) -> bytes:
    """One page with a title and a paragraph, in ASCII."""
    lines = [f"BT /F1 20 Tf 60 760 Td ({_escaped(title)}) Tj ET"]
    for number, line in enumerate([*textwrap.wrap(text, 80), "", "A document of the demo world. It offers nothing to anybody."]):
        lines.append(f"BT /F1 11 Tf 60 {720 - 16 * number} Td ({_escaped(line)}) Tj ET")
    content = "\n".join(lines)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made, places = "%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(made))
        made += f"{number} 0 obj\n{each}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    end = f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer << /Size {count} /Root 1 0 R >>\nstartxref\n{len(made)}\n%%EOF\n"
    return (made + end).encode("ascii", "replace")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
