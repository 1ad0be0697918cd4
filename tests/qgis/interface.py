"""As much of QGIS's window as the plugin uses, and what a user does with its messages."""

from __future__ import annotations


class Interface:
    """A window with real widgets behind it."""

    def __init__(self):
        from qgis.gui import QgsMapCanvas, QgsMessageBar
        from qgis.PyQt.QtWidgets import QMainWindow

        self.window = QMainWindow()
        self.bar = QgsMessageBar(self.window)
        self.canvas = QgsMapCanvas(self.window)
        self.menu, self.drops, self.layer_actions, self.logs = [], [], [], []
        self.layer, self.refreshed = None, []

    def mainWindow(self):
        return self.window

    def messageBar(self):
        return self.bar

    def mapCanvas(self):
        return self.canvas

    def activeLayer(self):
        return self.layer

    def setActiveLayer(self, layer):
        self.layer = layer

    def layerTreeView(self):
        return self

    def node2index(self, node):
        return node

    def scrollTo(self, index, hint):
        self.scrolled = index.name()

    def refreshLayerSymbology(self, identifier):
        self.refreshed.append(identifier)

    def openMessageLog(self):
        self.logs.append("opened")

    def addToolBar(self, name):
        return self.window.addToolBar(name)

    def addPluginToMenu(self, name, action):
        self.menu.append((name, action))

    def removePluginMenu(self, name, action):
        self.menu.remove((name, action))

    def registerCustomDropHandler(self, handler):
        self.drops.append(handler)

    def unregisterCustomDropHandler(self, handler):
        self.drops.remove(handler)

    def addCustomActionForLayerType(self, action, menu, kind, all_layers):
        self.layer_actions.append((menu, action, kind))

    def removeCustomActionForLayerType(self, action):
        self.layer_actions = [each for each in self.layer_actions if each[1] is not action]


def texts(interface) -> list[str]:
    """Return what the message bar shows."""
    return [item.text() for item in interface.bar.items()]


def press(interface, text: str) -> None:
    """Press a button of the newest message."""
    from qgis.PyQt.QtWidgets import QPushButton

    item = interface.bar.items()[-1]
    (button,) = [each for each in item.findChildren(QPushButton) if each.text() == text]
    button.click()
