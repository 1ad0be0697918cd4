"""Dialogs; imported only when somebody opens one."""
