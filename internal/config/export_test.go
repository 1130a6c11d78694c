package config

// Marshal is for the test that writes the manuals.
func Marshal(v any) ([]byte, error) { return marshal(v) }
