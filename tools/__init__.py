"""What ``build.py`` is made of: standard library only, any Python from 3.9 on."""
