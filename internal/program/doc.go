// Package program assembles one gateway from its parts: the path over its ports, the channel API, the dispatcher, the
// ops listener. It is the same gateway wherever it runs; the stores, and the addresses of its neighbours, are handed
// in. The sandbox hands in embedded ones.
//
// New is a flat list on purpose: whoever wants to know what depends on what reads it from top to bottom.
package program
