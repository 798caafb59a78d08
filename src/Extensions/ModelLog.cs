using Microsoft.Extensions.Logging;

namespace ManagedTransformers.Extensions.AI;

/// <summary>What is logged.</summary>
internal static partial class ModelLog
{
    [LoggerMessage(1, LogLevel.Information, "Loading {Model} from {Directory}.")]
    public static partial void Loading(ILogger logger, string model, string directory);

    [LoggerMessage(2, LogLevel.Information, "Loaded {Model} in {Milliseconds} ms: {Architecture}, kernels {Level}, {Threads} threads.")]
    public static partial void Loaded(ILogger logger, string model, long milliseconds, string architecture, KernelLevel level, int threads);

    [LoggerMessage(3, LogLevel.Error, "{Model} could not be loaded from {Directory}; the next call tries again.")]
    public static partial void LoadFailed(ILogger logger, Exception exception, string model, string directory);

    [LoggerMessage(4, LogLevel.Warning, "{Model}: {Warning}")]
    public static partial void Warning(ILogger logger, string model, string warning);

    [LoggerMessage(5, LogLevel.Error, "{Model} changed on disk: {Difference}. Its calls throw until the app is started again.")]
    public static partial void Changed(ILogger logger, string model, string difference);

    [LoggerMessage(6, LogLevel.Debug, "{Model} refused the warm-up text; it answers all the same.")]
    public static partial void WarmUpRefused(ILogger logger, Exception exception, string model);

    [LoggerMessage(7, LogLevel.Debug, "{Model}: {Texts} texts of {Calls} calls in one batch.")]
    public static partial void Batch(ILogger logger, string model, int texts, int calls);
}
