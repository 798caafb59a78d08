namespace ManagedTransformers.Server;

/// <summary>How a protocol says that something went wrong.</summary>
internal abstract class Protocol
{
    /// <summary>The status code.</summary>
    public virtual int Status(Problem problem) => problem switch
    {
        Problem.Invalid or Problem.Empty or Problem.TooLong => StatusCodes.Status400BadRequest,
        Problem.TooLarge => StatusCodes.Status413PayloadTooLarge,
        Problem.Unauthorized => StatusCodes.Status401Unauthorized,
        Problem.NotFound => StatusCodes.Status404NotFound,
        Problem.Method => StatusCodes.Status405MethodNotAllowed,
        Problem.Timeout => StatusCodes.Status408RequestTimeout,
        Problem.Overloaded => StatusCodes.Status429TooManyRequests,
        Problem.NotSupported => StatusCodes.Status501NotImplemented,
        Problem.Unavailable => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status500InternalServerError,
    };

    /// <summary>The body.</summary>
    public abstract byte[] Body(ApiException error);
}
