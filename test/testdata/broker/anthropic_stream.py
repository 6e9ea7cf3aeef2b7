"""Prints what Claude says as it is streamed, word by word."""

import anthropic

client = anthropic.Anthropic(max_retries=0)
with client.messages.stream(
    model="claude-sonnet-4-5", max_tokens=64, messages=[{"role": "user", "content": "say hi"}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
    print("\nstop:", stream.get_final_message().stop_reason, flush=True)
