package identity

import "net/http"

// Transport makes the Config's requests with rt: in fake time there is no network.
func (c Config) Transport(rt http.RoundTripper) Config {
	c.transport = rt
	return c
}

// Remembered is how many tokens are remembered.
func (v *Verifier) Remembered() int {
	v.cache.mu.Lock()
	defer v.cache.mu.Unlock()
	return len(v.cache.entries)
}
