"""`python -m lowcode_kernel.kernel -f CONNECTION_FILE`: what `kernel.json` starts."""

from lowcode_kernel.kernel.app import LowcodeKernelApp

if __name__ == "__main__":
    LowcodeKernelApp.launch_instance()
