"""Jobs, their schema and events: the contract with the outside."""
