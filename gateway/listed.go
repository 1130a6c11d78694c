package gateway

// Listed is a refund of a list that many share. One that can't be read takes nobody else's from it, and stands somewhere
// all the same.
type Listed struct {
	Refund
	Unreadable bool // ErrUnreadable: whom it is about isn't there
}
