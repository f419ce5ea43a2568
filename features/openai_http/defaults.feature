Feature: Safe by default
  An adapter that is told nothing but an address does nothing surprising.

  Background:
    Given an upstream
    And an adapter for the chat API

  @HTU-12
  Scenario: A redirect is not followed
    Given the upstream will always do "redirect=http://127.0.0.1:9/v1/chat/completions"
    When a task for 2 tokens is submitted
    Then submit raises INTERNAL with reason redirect
    And the upstream saw 1 requests

  @ADP-11 @ADP-12
  Scenario: The request says what was asked for, and nothing else
    When a task for 2 tokens is submitted
    Then the upstream was sent only model, messages, max_tokens, stream and stream_options

  @SEC-12 @HTU-EXP-1101
  Scenario: The environment's proxy is ignored
    Given the environment names a proxy
    When a task for 2 tokens is submitted
    Then the events are started, 2 tokens, end

  @ADP-33
  Scenario: A deadline ends a silent upstream
    Given the upstream will do "stall=30;stall-at=head"
    When a task with a deadline of 100 ms is submitted
    Then submit raises DEADLINE_UNMET with reason deadline
