package banktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// callMax bounds each call of a test. It is longer than anything that the gateway itself waits for.
const callMax = 30 * time.Second

// newClient keeps idle connections for less long than any server of the world does: a POST on one that the server is
// just closing fails.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 20 * time.Second},
		Timeout:       callMax,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send makes one call. Errors name method and path, never a header or a body.
func (w *World) send(client *http.Client, method, address string, header http.Header, body any) (*Response, error) {
	payload, err := encode(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.t.Context()), callMax)
	defer cancel()
	var reader io.Reader
	if payload != nil {
		reader = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, reader)
	if err != nil {
		return nil, err
	}
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	answer, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	r := &Response{t: w.t, call: method + " " + req.URL.Path, Status: answer.StatusCode, Header: answer.Header}
	if r.Body, err = io.ReadAll(answer.Body); err != nil {
		return nil, fmt.Errorf("%s: the answer breaks off: %w", r.call, err)
	}
	return r, nil
}

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(b), nil
	case []byte:
		return b, nil
	}
	return json.Marshal(body)
}
