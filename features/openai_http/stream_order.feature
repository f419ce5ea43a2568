Feature: An ordered stream of tokens
  An orchestrator reads started, then tokens, then one end or one error, whatever the upstream does.

  Background:
    Given an upstream

  @OC-ADAPT-OAI-6011 @ADP-20 @WA-INT-3001
  Scenario Outline: A task becomes an ordered stream
    Given an adapter for the <api> API
    When a task for 5 tokens is submitted
    Then the events are started, 5 tokens, end
    And the tokens are numbered from 0
    And the end has the evidence <evidence>

    Examples:
      | api         | evidence            |
      | chat        | finish_reason       |
      | completions | finish_reason       |
      | responses   | response.incomplete |

  @ADP-22
  Scenario: Chunks without content are not tokens
    Given an adapter for the chat API
    And the upstream will do "empty-chunks=7;after-finish=3"
    When a task for 5 tokens is submitted
    Then the events are started, 5 tokens, end

  @ADP-23
  Scenario Outline: A stream that merely stops is not an end
    Given an adapter for the chat API
    And the upstream will do "<fault>"
    When a task for 5 tokens is submitted
    Then the last event is an error with code WORKER_RESET
    And the error says that the outcome is PARTIAL

    Examples:
      | fault                               |
      | omit=finish,done                    |
      | cut-after-tokens=3;cut-by=reset     |
      | cut-after-tokens=3;cut-by=close     |

  @ADP-24 @OC-CTRL-2028 @OC-CTRL-2029
  Scenario Outline: An error inside the stream is one error event, and the last
    Given an adapter for the chat API
    And the upstream will do "stream-error=<form>;stream-error-after=2"
    When a task for 5 tokens is submitted
    Then the events are started, 2 tokens, error

    Examples:
      | form    |
      | openai  |
      | string  |
      | flat    |
      | litellm |

  @OC-CTRL-2034 @ADP-25
  Scenario: A page of HTML is an error before the start
    Given an adapter for the chat API
    And the upstream will do "instead=html"
    When a task for 5 tokens is submitted
    Then submit raises INTERNAL with reason content_type
