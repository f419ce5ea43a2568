Feature: No double billing
  A request is sent again only when the upstream provably did no work for it.

  Background:
    Given an upstream

  @WA-INT-3003 @RTY-05
  Scenario: A refusal is tried again, and the ledger tells of it
    Given an adapter for the chat API
    And the upstream will do "status=429;retry-after-ms=1"
    When a task for 2 tokens is submitted
    Then the events are started, 2 tokens, end
    And the upstream saw 2 requests
    And the ledger reads REJECTED, success

  @OQ-14
  Scenario Outline: What may have been processed is not sent again, unless that was asked for
    Given an adapter for the chat API with the policy <policy>
    And the upstream will always do "<fault>"
    When a task for 2 tokens is submitted
    Then submit raises POOL_UNAVAILABLE with outcome UNKNOWN
    And the upstream saw <requests> requests

    Examples:
      | policy       | fault      | requests |
      | billing_safe | status=500 | 1        |
      | billing_safe | drop=reset | 1        |
      | available    | status=500 | 4        |
      | available    | drop=reset | 4        |

  @WA-INT-3004
  Scenario: A permanent refusal is not tried again
    Given an adapter for the chat API
    And the upstream will always do "status=400"
    When a task for 2 tokens is submitted
    Then submit raises INVALID_PARAMS with outcome REJECTED
    And the upstream saw 1 requests

  @ADP-34
  Scenario: Nothing is sent again after the first token
    Given an adapter for the chat API with the policy available
    And the upstream will always do "cut-after-tokens=1"
    When a task for 5 tokens is submitted
    Then the last event is an error with code WORKER_RESET
    And the upstream saw 1 requests
