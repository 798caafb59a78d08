namespace ManagedTransformers.Server;

/// <summary>What kind of answer a request gets that is not answered as asked. Each protocol has a status and a name for it.</summary>
internal enum Problem
{
    /// <summary>The request is wrong.</summary>
    Invalid,

    /// <summary>There is nothing in it to work on.</summary>
    Empty,

    /// <summary>The prompt is longer than the model reads.</summary>
    TooLong,

    /// <summary>The body, or the number of inputs, is above a limit.</summary>
    TooLarge,

    /// <summary>A key is needed.</summary>
    Unauthorized,

    /// <summary>There is no such route or model.</summary>
    NotFound,

    /// <summary>The route is there, for another method.</summary>
    Method,

    /// <summary>The time for it is over.</summary>
    Timeout,

    /// <summary>Too many requests wait.</summary>
    Overloaded,

    /// <summary>The model cannot do it.</summary>
    NotSupported,

    /// <summary>The server does not take requests now.</summary>
    Unavailable,

    /// <summary>The model cannot be loaded, or does not work.</summary>
    Server,
}

/// <summary>A request that is answered with an error.</summary>
internal sealed class ApiException(Problem problem, string message, Exception? inner = null) : Exception(message, inner)
{
    public Problem Problem { get; } = problem;

    /// <summary>The field that is wrong; null: none in particular.</summary>
    public string? Field { get; init; }

    /// <summary>OpenAI's code, such as <c>model_not_found</c>.</summary>
    public string? Code { get; init; }

    /// <summary>Of a prompt that is too long: its tokens, and those that there is room for.</summary>
    public (int Prompt, int Context)? Tokens { get; init; }

    public static ApiException Of(string field, string message) => new(Problem.Invalid, message) { Field = field };
}
