"""The menu of the spa."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Treatment:
    """One line of the menu; prices in dollars."""

    name: str
    minutes: int
    price: int
    member_price: int
    short: str
    text: str
    is_featured: bool = False
    member_only: bool = False


AI_MASSAGE = "AI Massage Therapy"

MENS = [
    Treatment(AI_MASSAGE, 60, 200, 150, "Personalized massage experience",
              "Advanced AI-guided massage. Sensors read the tension of your back and shoulders while a therapist and two robotic arms work "
              "on it, and the pressure follows your breath.", is_featured=True),
    Treatment("Signature Hot Towel Shave", 45, 85, 65, "Straight razor, badger brush, three towels",
              "A slow shave with a straight razor: pre-shave oil, hot towels, warm lather, and a cold stone to finish."),
    Treatment("LED Facial Renewal", 50, 140, 105, "Red and blue light for tired skin",
              "The smart mirror maps your skin; red light calms it and blue light clears it, under a mask chosen for the day.",
              is_featured=True),
    Treatment("Deep Tissue Massage", 60, 165, 125, "Firm work on what is stuck",
              "Slow, firm strokes along the grain of the muscle, for shoulders that sit at a desk and hips that sit in traffic."),
    Treatment("Sports Recovery Massage", 75, 190, 145, "For the day after",
              "Compression, stretching and percussion for runners, riders and lifters, best within two days of the effort."),
    Treatment("Express Beard Trim", 30, 45, 35, "Shape, line and oil",
              "A consultation at the smart mirror, a trim by scissors and clipper, and oil of cedar and bergamot."),
    Treatment("Executive Facial", 45, 120, 90, "A clear face before the meeting",
              "Cleansing, exfoliation, steam and a firming serum. No redness afterwards, which is the point."),
    Treatment("Infrared Sauna Session", 45, 70, 50, "Heat that reaches the muscle",
              "A private cabin at a milder temperature than a classic sauna, with chilled towels and mineral water."),
    Treatment("Cold Plunge Circuit", 40, 65, 45, "Three rounds of warm and cold",
              "Sauna, plunge at 50 degrees Fahrenheit, rest; led by an attendant who knows when it is enough."),
    Treatment("Scalp and Neck Release", 40, 95, 70, "Where headaches begin",
              "Pressure points from the shoulders to the crown, with warm oil worked into the scalp."),
    Treatment("Foot Repair Ritual", 50, 90, 68, "Soak, file, press",
              "A salt soak, careful filing, reflexology and a peppermint wrap."),
    Treatment("Skin Analysis", 30, 60, 40, "What the mirror sees",
              "Twelve photographs under different light, read with you by an aesthetician who writes the plan for your skin."),
    Treatment("Back Facial", 60, 135, 100, "For the part that you cannot see",
              "Deep cleansing, extraction and a clay mask for the back and shoulders."),
    Treatment("Hot Stone Massage", 75, 185, 140, "Basalt, warmed to 125 degrees",
              "Smooth stones carry the heat while hands do the rest, from the neck to the feet."),
    Treatment("Compression Boots", 30, 55, 40, "Half an hour with your legs up",
              "Pulses of air move from foot to thigh; bring a book, or choose a scene."),
    Treatment("Gentleman's Manicure", 35, 50, 38, "Clean, short, quiet",
              "Shaping, cuticle care and a hand massage. Buffed, not polished."),
    Treatment("Sleep Reset", 90, 240, 180, "Massage, breath and darkness",
              "Forty minutes of slow massage and fifty of guided rest in a room that dims as you do.", is_featured=True),
    Treatment("Members' Morning Ritual", 60, 180, 110, "Sauna, plunge and shave before nine",
              "The house to yourselves: heat, cold, a shave and an espresso. For members only.", member_only=True),
]  # fmt: skip

COUPLES = [
    Treatment("Immersive Couples Massage", 75, 380, 290, "Side by side in another place",
              "Two therapists, one suite, and screens that take you to the mountains or the sea as the scent follows.", is_featured=True),
    Treatment("Swiss Alps Retreat", 120, 560, 430, "An afternoon above the tree line",
              "Hay bath, massage for two and herbal tea, with cool air and cow bells far off.", is_featured=True),
    Treatment("Side by Side Facial", 60, 260, 195, "Two skins, two plans, one hour",
              "Each of you is analysed and treated for what your own skin needs, in neighbouring chairs."),
    Treatment("Private Hammam", 90, 340, 255, "Steam, black soap, and a marble table",
              "The full washing ritual for two with kessa glove, clay and rose water."),
    Treatment("Rose Milk Bath", 60, 220, 165, "A deep tub, petals, and time",
              "Warm milk bath in the suite's own tub, with chilled sparkling wine or tea."),
    Treatment("AI Duo Massage", 60, 360, 270, "The same touch for both",
              "Our robotic arms mirror one therapist's hands, so that both of you feel the same stroke in the same moment."),
    Treatment("Candlelight Massage", 60, 280, 210, "Warm oil by the light of forty candles",
              "Long strokes with soy candle oil that is poured warm on the skin."),
    Treatment("Float for Two", 60, 180, 135, "Salt water, and nothing else",
              "A shared float pool at body temperature, in the dark or under stars."),
    Treatment("Thai Stretch for Two", 75, 300, 225, "Clothed, on the floor, longer afterwards",
              "Assisted stretching side by side on mats, by two therapists trained in Chiang Mai."),
    Treatment("Prenatal Afternoon", 90, 320, 240, "For two who will be three",
              "Massage on the side with pillows for the mother, a foot ritual for her company."),
    Treatment("Sound Bath", 45, 140, 105, "Bowls, gongs and a warm floor",
              "Lie down while crystal bowls are played around you; the lights follow the tone."),
    Treatment("Chocolate and Sea Salt Ritual", 90, 350, 265, "Scrub, wrap, rinse",
              "A scrub of sea salt, a wrap of warm cacao, and a shower with four heads."),
    Treatment("Lovers' Foot Ritual", 45, 150, 112, "Four feet, two stools",
              "Soak, scrub and reflexology, with a view."),
    Treatment("Anniversary Suite", 180, 890, 690, "The suite for three hours",
              "Bath, massage for two, dinner from the kitchen next door, and a scene that is made for you beforehand.", is_featured=True),
    Treatment("Moonlight Swim", 60, 240, 180, "The pool after closing time",
              "The hydro room alone, lit from below, with robes warmed for the way back."),
    Treatment("Breathwork for Two", 45, 130, 98, "Learn to breathe together",
              "A teacher leads you from quick to slow; the room answers with light."),
    Treatment("Himalayan Salt Room", 45, 120, 90, "Dry salt air by the glow of the wall",
              "Forty-five minutes on heated loungers, good for the lungs and better for the silence."),
    Treatment("Members' Night in Private", 120, 520, 340, "Late hours for those who belong",
              "The suite from nine until eleven with massage, bath and a host at call. For members only.", member_only=True),
]  # fmt: skip

# Which services, by their numbers, are of which kind.
TYPES = {
    "massage": (1, 4, 5, 10, 14, 17, 19, 24, 25, 27, 28), "facial": (3, 7, 12, 13, 21), "shave": (2, 6, 16), "sauna": (8, 9, 18, 22, 35),
    "bath": (23, 26, 33), "foot_care": (11, 31), "compression": (15,), "ritual": (20, 30, 32, 36), "meditation": (29, 34),
}  # fmt: skip

# Service, name, price. The numbers of the first three are known from the documents.
ADDONS = [
    (1, "LED Light Therapy", 50),
    (2, "Charcoal Mask", 25),
    (1, "Hot Stone Upgrade", 35),
    (3, "Collagen Eye Patches", 20),
    (4, "CBD Oil", 30),
    (5, "Percussion Finish", 25),
    (6, "Grey Blending", 30),
    (7, "Oxygen Infusion", 45),
    (9, "Guided Breathing", 20),
    (14, "Aromatherapy", 20),
    (17, "Weighted Blanket", 15),
    (19, "Scalp Massage", 30),
    (20, "Alpine Herb Footbath", 40),
    (22, "Argan Hair Mask", 35),
    (23, "Half Bottle of Champagne", 60),
    (30, "Body Polish", 55),
    (32, "Photographer for Half an Hour", 120),
    (32, "Flowers in the Suite", 80),
]

PROGRAMMES = [
    (1, "Deep Relaxation", "Long, even strokes at a third of the pressure; most guests fall asleep."),
    (1, "Athletic Recovery", "Targets the muscles that you used this week, with stretches in between."),
    (1, "Posture Reset", "Works along the spine and opens the chest, for people who sit."),
    (5, "Runner", "Calves, hips and feet."),
    (5, "Lifter", "Back, shoulders and forearms."),
    (19, "Mountains", "Cool light, pine, and a slow rhythm."),
    (19, "Sea", "Blue light, salt, and strokes like waves."),
    (24, "Gentle", "For a first time with the arms."),
    (24, "Strong", "For those who know them."),
]
