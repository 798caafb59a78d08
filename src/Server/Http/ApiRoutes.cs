namespace ManagedTransformers.Server;

/// <summary>The routes of all protocols.</summary>
internal static class ApiRoutes
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        .. OpenAIRoutes.All, .. CopilotRoutes.All, .. LlamaRoutes.All, .. TeiRoutes.All, .. CohereRoutes.All, .. HuggingFaceRoutes.All, .. OperationRoutes.All,
    ];
}
