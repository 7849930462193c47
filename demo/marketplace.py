"""What providers offer in the marketplace: category, its description, and services with minutes and price in dollars."""

Service = tuple[str, int, int, str]

MARKETPLACE: list[tuple[str, str, list[Service]]] = [
    ("Cleaning", "Homes and offices, cleaned by people who stay for years.", [
        ("Standard Home Cleaning", 120, 110, "Kitchen, bathrooms, floors and dust, with our own supplies."),
        ("Move-out Cleaning", 240, 260, "Everything that the landlord looks at, oven and windows included."),
        ("Office Evening Cleaning", 90, 95, "After six, every desk left as it was found."),
        ("Window Cleaning", 60, 80, "Inside and outside up to the third floor."),
    ]),
    ("Handyman", "Small repairs that wait too long.", [
        ("Furniture Assembly", 90, 85, "Flat packs built, and the boxes taken along."),
        ("Picture Hanging", 60, 60, "Straight, level, and into the right wall."),
        ("Tap and Drain Repair", 60, 95, "Drips stopped and drains freed, washers included."),
        ("Light Fixture Installation", 60, 90, "Ceiling lights and dimmers, by a licensed electrician."),
    ]),
    ("Wellness at Work", "Short treatments where people work.", [
        ("Chair Massage", 20, 35, "Twenty minutes, clothed, between two meetings."),
        ("Desk Yoga Class", 45, 180, "For up to twelve people, without mats."),
        ("Posture Check", 30, 60, "A physiotherapist looks at how you sit and moves your screen."),
        ("Lunch Meditation", 30, 120, "A quiet half hour for the whole floor."),
    ]),
]  # fmt: skip
