package corebanking

import (
	"context"
	"net"
)

// Dial makes the Config's connections with dial: in fake time there is no network.
func (c Config) Dial(dial func(ctx context.Context, network, address string) (net.Conn, error)) Config {
	c.dial = dial
	return c
}
