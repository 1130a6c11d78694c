// Package program assembles one gateway from its parts: the path over its ports, the channel API, the dispatcher, the
// ops listener. It is the same gateway wherever it runs; the stores, and the addresses of its neighbours, are handed
// in. The sandbox hands in embedded ones.
//
// Everything is told to one telemetry.Telemetry (observe.go): the rooms say what they do through functions and small
// interfaces of their own, and this package joins them to it.
//
// New is a flat list on purpose: whoever wants to know what depends on what reads it from top to bottom.
package program
