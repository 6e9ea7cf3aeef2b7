package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Anthropic is the Messages API as far as its SDK and Claude Code use it: messages as
// one answer or as server-sent events, token counts, and the HEAD that looks whether
// anybody is there.
type Anthropic struct {
	// Words is the answer, an event each.
	Words []string
	// Pace is called before each word of a stream but the first; nil goes on at once.
	// An error ends the stream in the middle.
	Pace func(ctx context.Context, word int) error
}

const messageID = "msg_standin"

// ServeHTTP answers as api.anthropic.com does.
func (a *Anthropic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "HEAD /":
		w.WriteHeader(http.StatusOK)
	case "POST /v1/messages/count_tokens":
		sendJSON(w, http.StatusOK, map[string]any{"input_tokens": 7})
	case "POST /v1/messages":
		var ask struct {
			Model  string `json:"model"`
			Stream bool   `json:"stream"`
		}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
			sendJSON(w, http.StatusBadRequest, anthropicError("invalid_request_error", err.Error()))
			return
		}
		if ask.Stream {
			a.stream(w, r, ask.Model)
			return
		}
		m := message(ask.Model, []any{map[string]any{"type": "text", "text": strings.Join(a.Words, "")}})
		m["stop_reason"] = "end_turn"
		sendJSON(w, http.StatusOK, m)
	default:
		sendJSON(w, http.StatusNotFound, anthropicError("not_found_error", r.Method+" "+r.URL.Path))
	}
}

func (a *Anthropic) stream(w http.ResponseWriter, r *http.Request, model string) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	event := func(kind string, fields map[string]any) {
		fields["type"] = kind
		b, _ := json.Marshal(fields)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, b)
		w.(http.Flusher).Flush()
	}
	event("message_start", map[string]any{"message": message(model, []any{})})
	event("content_block_start", map[string]any{"index": 0, "content_block": map[string]any{"type": "text", "text": ""}})
	for i, word := range a.Words {
		if i > 0 && a.Pace != nil {
			if err := a.Pace(r.Context(), i); err != nil {
				panic(http.ErrAbortHandler)
			}
		}
		event("content_block_delta", map[string]any{"index": 0, "delta": map[string]any{"type": "text_delta", "text": word}})
	}
	event("content_block_stop", map[string]any{"index": 0})
	event("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": "end_turn", "stop_sequence": nil},
		"usage": map[string]any{"output_tokens": len(a.Words)},
	})
	event("message_stop", map[string]any{})
}

func message(model string, content []any) map[string]any {
	return map[string]any{
		"id": messageID, "type": "message", "role": "assistant", "model": model, "content": content,
		"stop_reason": nil, "stop_sequence": nil, "usage": map[string]any{"input_tokens": 7, "output_tokens": 1},
	}
}

func anthropicError(kind, text string) map[string]any {
	return map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": text}}
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
