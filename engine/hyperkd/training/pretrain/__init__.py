"""Training of students on scenes without labels, with or without a teacher."""
