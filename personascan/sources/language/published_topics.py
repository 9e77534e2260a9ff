"""The personas of the published study and their topics."""

# The personas of the published study and their topics (arXiv 2505.24539, section 4), for files
# that name no topic.
PUBLISHED_TOPICS = {
    "personality": (
        "agreeableness",
        "conscientiousness",
        "openness",
        "extraversion",
        "neuroticism",
    ),
    "ethics": (
        "subscribes-to-virtue-ethics",
        "subscribes-to-cultural-relativism",
        "subscribes-to-deontology",
        "subscribes-to-utilitarianism",
        "subscribes-to-moral-nihilism",
    ),
    "politics": (
        "politically-conservative",
        "politically-liberal",
        "anti-immigration",
        "anti-LGBTQ-rights",
    ),
}
TOPIC_OF = {persona: topic for topic, personas in PUBLISHED_TOPICS.items() for persona in personas}
