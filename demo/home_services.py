"""Treatments that partners bring to the customer's home: category, its description, and services with minutes and price in rupees."""

Service = tuple[str, int, int, str]

HOME: list[tuple[str, str, list[Service]]] = [
    ("Facial", "Facials at home, with sealed kits.", [
        ("Facial - Minimal", 45, 1000, "Cleansing, scrub and a fruit pack for everyday glow."),
        ("Facial - Exclusive", 60, 1800, "Vitamin C serum, massage and a peel-off mask."),
        ("Facial - E-Lite", 75, 2800, "Gold leaf, oxygen spray and an under-eye treatment."),
    ]),
    ("Waxing", "Waxing at home, with single-use cartridges.", [
        ("Waxing - Minimal", 30, 600, "Full arms and underarms with honey wax."),
        ("Waxing - Exclusive", 60, 1200, "Arms and legs with white chocolate wax."),
        ("Waxing - E-Lite", 90, 2200, "Full body with Rica wax and an aloe finish."),
    ]),
    ("Hair", "Hair care at home.", [
        ("Hair - Minimal", 30, 500, "Wash and blow-dry."),
        ("Hair - Exclusive", 60, 1400, "Hair spa with steam and a head massage."),
        ("Hair - E-Lite", 120, 3500, "Keratin treatment for smooth hair over two months."),
    ]),
    ("Nail", "Manicures and pedicures at home.", [
        ("Nail - Minimal", 30, 450, "Shape, cuticle care and polish."),
        ("Nail - Exclusive", 60, 1100, "Manicure and pedicure with scrub and mask."),
        ("Nail - E-Lite", 90, 2000, "Gel extensions with art on two nails."),
    ]),
]  # fmt: skip
